import { httpRouter } from 'convex/server'
import { environment } from '../environment.ts'
import { auth } from './auth.ts'

const page = { origins: [environment.pageOrigin] }
const http = httpRouter()

for (const method of ['GET', 'OPTIONS'] as const) {
  http.route({ path: '/auth/status', method, handler: auth.statusRoute(page) })
  http.route({ path: '/auth/user', method, handler: auth.userRoute(page) })
}
http.route({
  path: '/auth/webhook',
  method: 'POST',
  handler: auth.webhookRoute({ signingSecrets: () => environment.clerkWebhookSecrets }),
})

export default http
