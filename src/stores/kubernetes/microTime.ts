/** metav1.MicroTime: RFC 3339 with six digits of a second. */
export const microTime = (date: Date): string => date.toISOString().replace("Z", "000Z");
