import type { AuditLogEvent } from './audit-log.ts'
import { type Observers, quietly } from './observe.ts'

/** Turns the events of the audit log into metrics and log lines. */
export function observeAudit({ metrics, logger }: Observers): (event: AuditLogEvent) => void {
  return quietly((event: AuditLogEvent) => {
    switch (event.type) {
      case 'audit_written':
        metrics?.auditEvents.add({ outcome: 'allowed' }, event.allowed)
        metrics?.auditEvents.add({ outcome: 'denied' }, event.denied)
        return
      case 'audit_write_failed':
        metrics?.auditWriteFailures.add({ sink: 'file' }, event.records)
        logger?.error('the audit log cannot be written; what was to be recorded is refused', {
          event: event.type,
          sink: 'file',
          count: event.records,
          code: event.error.code,
          remedy: event.error.remedy,
          error: event.error,
        })
        return
      case 'audit_torn_line':
        logger?.warn('the audit log has a line without an end: a disk that was full, or a crash', { event: event.type })
        return
      case 'audit_file_deleted':
        logger?.error('the audit log was deleted while in use', { event: event.type })
        return
      case 'audit_reopened':
        logger?.info('the audit log was opened anew', { event: event.type })
    }
  })
}
