import { auth } from './auth.ts'

/** What the page may offer: the caller's role in the organisation that the session has chosen, from our own table. */
export const me = auth.orgQuery({
  args: {},
  handler: ({ principal: { user, organization, role, permissions } }) => ({
    user,
    organization,
    role,
    permissions: [...permissions],
  }),
})
