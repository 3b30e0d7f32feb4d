import { defineConfig } from "vite";

// Built into the folder Flask serves. The file names carry hashes; .vite/manifest.json, which the web application reads
// when it starts, says which is which. Addresses inside the bundle are relative, so it works under any prefix.
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
    rollupOptions: { input: { reader: "reader/main.ts", copy: "reader/copy.ts" } },
  },
});
