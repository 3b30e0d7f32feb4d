import { defineConfig } from "vite";

// Builds into Flask's static folder. File names contain hashes; the web application finds them in .vite/manifest.json,
// which it reads at start. URLs inside the bundle are relative, so that it works under any prefix.
export default defineConfig({
  base: "./",
  publicDir: false,
  build: {
    outDir: "static/reader",
    emptyOutDir: true,
    manifest: true,
    modulePreload: false,
    assetsInlineLimit: 0,
    sourcemap: false,
    rollupOptions: {
      input: {
        reader: "reader/main.ts",
        copy: "reader/copy.ts",
        correct: "reader/correct.ts",
        reduce: "reader/reduce.ts",
        suggest: "reader/suggest.ts",
        verify: "reader/verify.ts",
        typeface: "reader/typeface.css",
      },
    },
  },
});
