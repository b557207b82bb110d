import { cronJobs } from 'convex/server'
import { internal } from './_generated/api.js'

const crons = cronJobs()
crons.hourly('sweep webhooks, proofs and pairings', { minuteUTC: 17 }, internal.auth.sweep, {})
crons.hourly('sweep old lines', { minuteUTC: 37 }, internal.sweep.lines, {})
export default crons
