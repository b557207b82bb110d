/** Without keys of either, every test would be skipped, and that would look like a run. */
export default function requireKeys(): void {
  const { CLERK_LIVE_SECRET_KEY, CONVEX_LIVE_URL } = process.env
  if (CLERK_LIVE_SECRET_KEY !== undefined || CONVEX_LIVE_URL !== undefined) return
  throw new Error(
    'Nothing to meet: give CLERK_LIVE_SECRET_KEY and CLERK_LIVE_ISSUER, or CONVEX_LIVE_URL and CONVEX_LIVE_KEYS.',
  )
}
