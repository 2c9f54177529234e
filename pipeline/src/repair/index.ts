export {
  type RepairDeps,
  RepairError,
  type Repaired,
  type RepairOptions,
  repairClickHouse,
} from './repair-clickhouse.js'
