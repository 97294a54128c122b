import { createPrivateKey } from "node:crypto";

/** A private key (PKCS#8 PEM) as the Windows agent keeps it before it is protected: eight numbers in base64. */
export const keptKey = (pem: string): string => {
  const jwk = createPrivateKey(pem).export({ format: "jwk" });
  const parts = [jwk.n, jwk.e, jwk.d, jwk.p, jwk.q, jwk.dp, jwk.dq, jwk.qi];
  return parts.map((part) => Buffer.from(part ?? "", "base64url").toString("base64")).join(" ");
};
