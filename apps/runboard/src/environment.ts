/** All that Convex's isolate has of Node. */
declare const process: { readonly env: Readonly<Record<string, string | undefined>> }

/**
 * The settings of a deployment (`npx convex env set NAME value`). Each is read when it is asked for: Convex deploys no
 * `auth.config.ts` that reads one which is not set, whether or not it could do without.
 */
export const environment = {
  /** The Frontend API URL of the Clerk instance, exactly as in `iss`. */
  get clerkIssuer(): string {
    return needed('CLERK_ISSUER')
  },
  /** Clerk's key set as JSON, pinned; or `discover`: Convex asks Clerk. */
  get clerkJwks(): string {
    return needed('CLERK_JWKS')
  },
  /** `whsec_…` of the webhook endpoint; two with a comma while one replaces the other. */
  get clerkWebhookSecrets(): readonly string[] {
    return needed('CLERK_WEBHOOK_SIGNING_SECRET').split(',')
  },
  /** Where the page is: it may ask the routes, and runners send people there. */
  get pageOrigin(): string {
    return needed('RUNBOARD_ORIGIN')
  },
  /** Set by Convex itself. */
  get deployment(): { readonly cloudUrl: string | undefined; readonly siteUrl: string | undefined } {
    return { cloudUrl: process.env.CONVEX_CLOUD_URL, siteUrl: process.env.CONVEX_SITE_URL }
  },
} as const

function needed(name: string): string {
  const value = process.env[name]
  if (value === undefined || value === '') throw new Error(`${name} is not set for this deployment.`)
  return value
}
