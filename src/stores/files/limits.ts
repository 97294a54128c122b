import { CST, Lexer } from "yaml";

/** Bounds of one file that keep a hostile or broken one from exhausting memory or stack. */
export const limits = { depth: 64, documents: 10_000, tokens: 500_000 } as const;

export interface Excess {
  readonly offset: number;
  readonly message: string;
}

interface Count {
  tokens: number;
  documents: number;
  /** Open flow collections. */
  flow: number;
  /** Block collections opened in this line. */
  inLine: number;
}

type TokenType = ReturnType<typeof CST.tokenType>;

/** The first bound that a file exceeds. Reads token by token: constant memory, whatever the text. */
export const excess = (text: string): Excess | undefined => {
  const count: Count = { tokens: 0, documents: 0, flow: 0, inLine: 0 };
  let offset = 0;
  let isScalar = false;
  for (const token of new Lexer().lex(text)) {
    const type: TokenType = isScalar ? "scalar" : CST.tokenType(token);
    const message = isScalar ? undefined : counted(count, type);
    if (message !== undefined) return { offset, message };
    isScalar = !isScalar && type === "scalar";
    if (!unwritten.has(type) && !isScalar) offset += token.length;
  }
  return undefined;
};

/** Tokens that the lexer adds and that stand for no text. */
const unwritten: ReadonlySet<TokenType> = new Set<TokenType>(["doc-mode", "flow-error-end"]);

const uncounted: ReadonlySet<TokenType> = new Set<TokenType>(["space", "doc-mode", "flow-error-end"]);

const counted = (count: Count, type: TokenType): string | undefined => {
  if (type === "newline") count.inLine = 0;
  if (!uncounted.has(type) && ++count.tokens > limits.tokens)
    return `has more than ${limits.tokens} parts: split the file`;
  switch (type) {
    case "flow-error-end":
      count.flow = 0;
      return undefined;
    case "doc-start":
      count.flow = 0;
      return ++count.documents > limits.documents
        ? `has more than ${limits.documents} documents: split the file`
        : undefined;
    case "flow-map-start":
    case "flow-seq-start":
      return ++count.flow > limits.depth ? tooDeep : undefined;
    case "flow-map-end":
    case "flow-seq-end":
      return --count.flow < 0 ? "closes a bracket that was not opened" : undefined;
    case "seq-item-ind":
    case "explicit-key-ind":
      return ++count.inLine > limits.depth ? tooDeep : undefined;
    default:
      return undefined;
  }
};

const tooDeep = `is nested more than ${limits.depth} levels deep`;
