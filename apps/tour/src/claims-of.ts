/** What a token says, unverified: for who holds it and wants to know. */
export function claimsOf(token: string): { readonly sub: string; readonly sid?: string } {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
}
