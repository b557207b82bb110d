export { type Stand, type StandOptions, startStand } from './stand/start-stand.ts'
