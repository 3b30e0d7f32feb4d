// The button that copies an address. Without this script the address can still be selected.

function arm(button: HTMLButtonElement): void {
  const field = document.getElementById(button.dataset["copy"] ?? "");
  if (!(field instanceof HTMLInputElement)) return;
  const words = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    field.select();
    await navigator.clipboard?.writeText(field.value);
    button.textContent = button.dataset["done"] ?? words;
    window.setTimeout(() => (button.textContent = words), 2000);
  });
}

for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-copy]")) arm(button);
