import { cronJobs } from 'convex/server'
import { internal } from './_generated/api.js'

const crons = cronJobs()
crons.hourly('sweep what has had its time', { minuteUTC: 17 }, internal.sweep.all, {})
export default crons
