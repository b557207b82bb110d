import type { Fleet } from '../fleet.ts'
import type { Step } from '../walk.ts'
import { agents } from './agents.ts'
import { bridge } from './bridge.ts'
import { chat } from './chat.ts'
import { cmux } from './cmux.ts'
import { attacks } from './forgeries.ts'
import { metrics } from './metrics.ts'
import { monitor } from './monitor.ts'
import { operator } from './operator.ts'
import { people, theft } from './people.ts'
import { rotation } from './rotation.ts'
import { runboard } from './runboard.ts'
import { services } from './services.ts'
import { support } from './support.ts'
import { workers } from './workers.ts'

/** The walk, in order. */
export const steps: readonly Step<Fleet>[] = [
  ...operator,
  ...people,
  ...attacks,
  ...services,
  ...workers,
  ...support,
  ...monitor,
  ...chat,
  ...agents,
  ...bridge,
  ...rotation,
  ...theft,
  ...cmux,
  ...runboard,
  ...metrics,
]
