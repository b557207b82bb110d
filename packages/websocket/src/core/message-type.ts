import { WebSocketError } from '../errors.ts'
import { isReservedType, maxNameLength } from '../frames.ts'

/** @throws WebSocketError `unknown_type` for a name that the application cannot use */
export function checkType(type: string): void {
  if (type.length === 0 || type.length > maxNameLength || isReservedType(type)) {
    throw new WebSocketError('unknown_type', `${JSON.stringify(type)} cannot be the type of a message.`)
  }
}
