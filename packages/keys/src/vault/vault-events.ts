/** What the Vault adapter tells, for logs and metrics. No secrets. */
export type VaultEvent =
  /** Several requests in a row got no answer: requests fail at once until a probe, made every second, succeeds. */
  | { readonly type: 'vault.unavailable'; readonly reason: string }
  | { readonly type: 'vault.recovered'; readonly afterSeconds: number }
  /** A new token is in use. `leaseSeconds` 0: it never expires. */
  | { readonly type: 'vault.logged_in'; readonly leaseSeconds: number }
  | { readonly type: 'vault.renewed'; readonly leaseSeconds: number }
  /** Neither renewed nor logged in anew; tried again well before the token expires, and after. Once per failure in a row. */
  | { readonly type: 'vault.login_failed'; readonly error: unknown }
  /** Old versions of a secret could not be destroyed; done with its next change. */
  | { readonly type: 'vault.sweep_failed'; readonly secret: string; readonly error: unknown }
  /** A transit key that may leave Vault: it was made, or set, `exportable`. */
  | { readonly type: 'vault.key_exportable'; readonly key: string }
