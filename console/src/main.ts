import { mount } from "svelte";
import App from "./App.svelte";
import { startTheme } from "./lib/theme.ts";
import "./styles.css";

startTheme();
const target = document.querySelector("#app");
if (!target) throw new Error("index.html has no #app");
mount(App, { target });
