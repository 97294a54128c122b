/** A token of the console as people list it: the token itself is kept nowhere. */
export interface TokenReport {
  readonly name: string;
  readonly role: string;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly expiresAt?: string;
}

export interface NewToken {
  readonly name: string;
  readonly role: string;
  /** Milliseconds; for ever if not given. */
  readonly lifeMs?: number;
}

/** Which file of tokens: that of a data folder, or another one. */
export interface TokenChoice {
  readonly data: string;
  readonly file?: string;
}

/** The console's way in, on the machine that it runs on. */
export interface ConsoleTools {
  /** The address with the admin's token in its fragment, which browsers send to nobody. */
  link(data: string): Promise<string>;
  tokens(choice: TokenChoice): Promise<readonly TokenReport[]>;
  /** The new token. */
  createToken(choice: TokenChoice, token: NewToken): Promise<string>;
  revokeToken(choice: TokenChoice, name: string): Promise<void>;
}
