import { svelte } from "@sveltejs/vite-plugin-svelte";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const folder = fileURLToPath(new URL(".", import.meta.url));

/** For `vite console`: where the API is, an `aetherv run --console-address`. */
const api = process.env["AETHERV_CONSOLE_API"] ?? "http://127.0.0.1:8480";

export default defineConfig({
  root: folder,
  plugins: [svelte({ configFile: false })],
  // The policy of the server allows no data: URL and nothing inline: every asset is a file of its own.
  build: {
    outDir: fileURLToPath(new URL("../dist/console", import.meta.url)),
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { host: "127.0.0.1", proxy: { "/v1": api, "/apis": api } },
});
