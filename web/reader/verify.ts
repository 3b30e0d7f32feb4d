// The page /verify: computes the digest of a file in the browser and shows what the server knows of it. Without this
// script the page has a form for a digest. Only an evidence file is sent, and the page says so.

import "./reduce";
import { sha256OfFile } from "./sha256";

const EVIDENCE = "c2sp.org/tlog-proof@v1\n";

class Verification {
  private readonly progress = element("#progress");
  private readonly form = element("#digest-form") as HTMLFormElement;
  private readonly evidence = element("#evidence-form") as HTMLFormElement;
  private running = 0;
  private chosen: File | undefined;

  constructor(private readonly root: HTMLElement) {
    const drop = element("#drop");
    const field = element("#file") as HTMLInputElement;
    drop.hidden = false;
    field.addEventListener("change", () => void this.take(field.files?.[0]));
    for (const type of ["dragover", "dragleave", "drop"]) {
      drop.addEventListener(type, (event) => {
        event.preventDefault();
        drop.classList.toggle("over", type === "dragover");
      });
    }
    drop.addEventListener("drop", (event) => void this.take(event.dataTransfer?.files[0]));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.chosen = undefined;
      void this.lookUp(new FormData(this.form).get("q") as string, ++this.running);
    });
  }

  private async take(file: File | undefined): Promise<void> {
    if (!file) return;
    this.chosen = file;
    const run = ++this.running;
    try {
      if ((await file.slice(0, EVIDENCE.length).text()) === EVIDENCE) {
        await this.send(file, run);
        return;
      }
      const report = (share: number): void => {
        if (run === this.running) this.say("hashing", `${Math.floor(share * 100)}`);
      };
      report(0);
      const digest = await sha256OfFile(file, report);
      if (run === this.running) await this.lookUp(digest, run);
    } catch {
      if (run === this.running) this.say("unreadable");
    }
  }

  private async lookUp(query: string, run: number): Promise<void> {
    const address = new URL(this.form.action);
    address.searchParams.set("q", query);
    (element("#q") as HTMLInputElement).value = query;
    if (await this.show(address.href, {}, run)) history.replaceState(null, "", address.href);
  }

  private async send(file: File, run: number): Promise<void> {
    const body = new FormData(this.evidence);
    body.set("evidence", file);
    await this.show(this.evidence.action, { method: "POST", body }, run);
  }

  // Fetches the page that the form would open, and shows its result in this one.
  private async show(address: string, request: RequestInit, run: number): Promise<boolean> {
    this.say("looking");
    try {
      const response = await fetch(address, { ...request, headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const result = page.querySelector<HTMLElement>("#result");
      if (run !== this.running) return false;
      if (!result) throw new Error(response.statusText);
      element("#result").replaceWith(document.adoptNode(result));
      this.progress.textContent = "";
      this.offer();
      result.focus();
      return true;
    } catch {
      if (run === this.running) this.say("failed");
      return false;
    }
  }

  // The form that sends an unknown picture to the search of its page has the chosen file already. It is not sent yet.
  private offer(): void {
    const input = document.querySelector<HTMLInputElement>("#result form[data-reduce] input[type=file]");
    if (!input || !this.chosen || !input.accept.split(",").includes(this.chosen.type)) return;
    const files = new DataTransfer();
    files.items.add(this.chosen);
    input.files = files.files;
  }

  private say(message: string, percent = ""): void {
    this.progress.textContent = (this.root.dataset[message] ?? "").replace("{percent}", percent);
  }
}

function element(selector: string): HTMLElement {
  const found = document.querySelector<HTMLElement>(selector);
  if (!found) throw new Error(selector);
  return found;
}

new Verification(element("#verify"));
