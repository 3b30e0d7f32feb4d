// Suggestions of titles and names while a reader types in a search box. Without this script the box works as before.

const WAIT = 180;

interface Suggestion {
  text: string;
}

function suggestFor(field: HTMLInputElement, list: HTMLDataListElement, address: string): void {
  let timer = 0;
  let asked = "";
  field.addEventListener("input", (event) => {
    window.clearTimeout(timer);
    const typed = field.value.trim();
    // Composing pinyin, or a suggestion that was just chosen.
    if (!typed || (event as InputEvent).isComposing || typed === asked) return;
    timer = window.setTimeout(() => void fill(typed), WAIT);
  });

  async function fill(typed: string): Promise<void> {
    asked = typed;
    const response = await fetch(`${address}?q=${encodeURIComponent(typed)}`).catch(() => null);
    if (!response?.ok || asked !== typed) return;
    const { suggestions } = (await response.json()) as { suggestions: Suggestion[] };
    list.replaceChildren(
      ...suggestions.map(({ text }) => {
        const option = document.createElement("option");
        // A browser shows only options that have what was typed; pinyin is shown as the label.
        option.value = text;
        option.label = typed;
        return option;
      }),
    );
  }
}

for (const field of document.querySelectorAll<HTMLInputElement>("input[data-suggest]")) {
  const list = field.list;
  if (list) suggestFor(field, list as HTMLDataListElement, field.dataset["suggest"] ?? "");
}
