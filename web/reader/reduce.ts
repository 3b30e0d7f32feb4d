// Reduces a picture before its form is sent: the search needs few pixels, and a telephone's photograph has many.
// Without this script, or if the browser cannot decode the picture, the form sends the file as it is.

const LONGEST_SIDE = 1600;
const QUALITY = 0.9;

async function reduced(file: File): Promise<File> {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const scale = LONGEST_SIDE / Math.max(bitmap.width, bitmap.height);
  if (scale >= 1) {
    bitmap.close();
    return file;
  }
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  if (context === null) return file;
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  return blob === null ? file : new File([blob], "picture.jpg", { type: "image/jpeg" });
}

async function send(form: HTMLFormElement, input: HTMLInputElement, file: File): Promise<void> {
  const button = form.querySelector("button");
  if (button) button.disabled = true;
  const files = new DataTransfer();
  files.items.add(await reduced(file).catch(() => file));
  input.files = files.files;
  form.submit(); // sends no further event
  // The page as the reader will find it who goes back.
  if (button) button.disabled = false;
}

// The form may be added to the page later.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.matches("form[data-reduce]")) return;
  const input = form.querySelector<HTMLInputElement>("input[type=file]");
  const file = input?.files?.[0];
  if (!input || !file) return;
  event.preventDefault();
  void send(form, input, file);
});
