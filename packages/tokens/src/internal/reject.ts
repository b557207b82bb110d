import { type RejectionCode, TokenRejected } from '../rejection.ts'

export function reject(code: RejectionCode, where: string, message: string, setting?: string): never {
  throw new TokenRejected(code, message, { where, setting })
}
