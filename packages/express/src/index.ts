export type { Access, AuthRouter, DeclaredRoute, DeclareRoute } from './auth-router.ts'
export {
  ExpressAuthError,
  type ExpressAuthErrorCode,
  expressAuthErrorCodes,
  expressAuthRemedies,
  isExpressAuthError,
} from './errors.ts'
export { type ExpressAuth, type ExpressAuthOptions, expressAuth } from './express-auth.ts'
