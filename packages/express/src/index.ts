export type { Access, AuthRouter, DeclaredRoute, DeclareRoute, LateAccess } from './auth-router.ts'
export {
  ExpressAuthError,
  type ExpressAuthErrorCode,
  expressAuthErrorCodes,
  expressAuthRemedies,
  isExpressAuthError,
} from './errors.ts'
export { type ExpressAuth, type ExpressAuthOptions, expressAuth, type RouteOptions } from './express-auth.ts'
