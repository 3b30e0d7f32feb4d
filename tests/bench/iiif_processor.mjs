// The engine of serverless-iiif in a small loop: every request of a list, so many at once, its seconds and its sizes.
// Called with the TIFF, a file with a JSON list of requests, and how many are under way at once.
import { createReadStream, readFileSync } from "node:fs";
import { Processor } from "iiif-processor";
import sharp from "sharp";

const [, , file, list, atOnce] = process.argv;
const requests = JSON.parse(readFileSync(list, "utf8"));
const pages = await sizesOf(file);
await answer(requests[0]); // what is loaded at the first request is not counted
const began = performance.now();
const bodies = await all(requests, Number(atOnce));
const seconds = (performance.now() - began) / 1000;
const sizes = await Promise.all(bodies.map(async (body) => {
  const { width, height } = await sharp(body).metadata();
  return [width, height];
}));
console.log(JSON.stringify({ seconds, sizes }));

async function sizesOf(path) {
  const { pages: count = 1 } = await sharp(path).metadata();
  const found = [];
  for (let page = 0; page < count; page += 1) {
    const { width, height } = await sharp(path, { page }).metadata();
    found.push({ width, height });
  }
  return found;
}

async function answer(request) {
  const processor = new Processor(`http://127.0.0.1/iiif/3/page/${request}`, async () => createReadStream(file), {
    dimensionFunction: async () => pages, // else it would read them again for every request
  });
  const result = await processor.execute();
  return result.body;
}

async function all(wanted, count) {
  const made = new Array(wanted.length);
  let next = 0;
  async function work() {
    while (next < wanted.length) {
      const place = next;
      next += 1;
      made[place] = await answer(wanted[place]);
    }
  }
  await Promise.all(Array.from({ length: count }, work));
  return made;
}
