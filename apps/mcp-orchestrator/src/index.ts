export { consumer, implies, type Scope } from './scopes.ts'
