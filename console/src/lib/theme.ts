import { Cell } from "./cell.svelte.ts";

export type Theme = "light" | "dark";
/** What was chosen; "system" follows the system. */
export type ThemeChoice = Theme | "system";

const key = "aetherv.theme";
const dark = window.matchMedia("(prefers-color-scheme: dark)");

const stored = (): ThemeChoice => {
  try {
    const kept = window.localStorage.getItem(key);
    return kept === "light" || kept === "dark" ? kept : "system";
  } catch {
    // Storage may be switched off: the system decides.
    return "system";
  }
};

export const themeChoice = new Cell<ThemeChoice>(stored());

const apply = (): void => {
  const choice = themeChoice.current;
  const theme: Theme = choice === "system" ? (dark.matches ? "dark" : "light") : choice;
  document.documentElement.dataset["theme"] = theme;
};

export const chooseTheme = (choice: ThemeChoice): void => {
  themeChoice.current = choice;
  try {
    if (choice === "system") window.localStorage.removeItem(key);
    else window.localStorage.setItem(key, choice);
  } catch {
    // Kept until the page is closed, then.
  }
  apply();
};

export const startTheme = (): void => {
  dark.addEventListener("change", apply);
  apply();
};
