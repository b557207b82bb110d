export { gate, receiveWebhook, whoAmI } from '../../convex/auth.ts'
