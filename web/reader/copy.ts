// The button that copies a URL. Without this script the URL can still be selected.

function enableCopyButton(button: HTMLButtonElement): void {
  const field = document.getElementById(button.dataset["copy"] ?? "");
  if (!(field instanceof HTMLInputElement)) return;
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    field.select();
    await navigator.clipboard?.writeText(field.value);
    button.textContent = button.dataset["done"] ?? label;
    window.setTimeout(() => (button.textContent = label), 2000);
  });
}

for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-copy]")) enableCopyButton(button);
