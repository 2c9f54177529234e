export {
  RepairError,
  repairClickHouse,
} from './repair-clickhouse.js'
