/** All that Convex's isolate has of Node. */
declare const process: { readonly env: Readonly<Record<string, string | undefined>> }

/** The settings of a deployment (`npx convex env set NAME value`), read when Convex loads its modules. */
export const environment = {
  /** The Frontend API URL of the Clerk instance, exactly as in `iss`. */
  clerkIssuer: needed('CLERK_ISSUER'),
  /** Clerk's key set as JSON, pinned. Left out: Convex asks Clerk. */
  clerkJwks: process.env.CLERK_JWKS,
  /** `whsec_…` of the webhook endpoint; two with a comma while one replaces the other. */
  clerkWebhookSecrets: needed('CLERK_WEBHOOK_SIGNING_SECRET').split(','),
  /** Where the page is: it may ask the routes, and runners send people there. */
  pageOrigin: needed('RUNBOARD_ORIGIN'),
  /** Set by Convex itself. */
  deployment: () => ({ cloudUrl: process.env.CONVEX_CLOUD_URL, siteUrl: process.env.CONVEX_SITE_URL }),
} as const

function needed(name: string): string {
  const value = process.env[name]
  if (value === undefined || value === '') throw new Error(`${name} is not set for this deployment.`)
  return value
}
