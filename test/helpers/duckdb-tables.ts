import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { readSql, type Row, sqlName, sqlText } from "../../cost/report/bill-database.ts";

/** What answers a statement: rows, or an error that an engine would give. */
export interface Answer {
  readonly names: readonly string[];
  readonly rows: readonly Row[];
}

/** Functions of Trino that a bill's queries use and the report's own prelude lacks. */
const MORE_OF_TRINO = `
  create macro regexp_like(x, pattern) as regexp_matches(x, pattern);
  create macro json_format(x) as cast(x as varchar);
`;

/** A double of what is behind Trino or Athena: DuckDB with the tables of one catalog, which answers Trino's dialect. */
export class DuckDBTables {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  readonly #catalog: string;
  readonly #partitionColumns = new Set<string>();

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection, catalog: string) {
    this.#instance = instance;
    this.#connection = connection;
    this.#catalog = catalog;
  }

  static async open(catalog: string, schema: string): Promise<DuckDBTables> {
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    await connection.run(readSql("duckdb-prelude.sql"));
    await connection.run(MORE_OF_TRINO);
    await connection.run(`attach ':memory:' as ${sqlName(catalog)}`);
    await connection.run(`create schema ${sqlName(catalog)}.${sqlName(schema)}`);
    return new DuckDBTables(instance, connection, `${sqlName(catalog)}.${sqlName(schema)}`);
  }

  async createFromParquet(table: string, file: string): Promise<void> {
    await this.create(table, `select * from read_parquet(${sqlText(file)}, hive_partitioning = false)`);
  }

  async create(table: string, query: string): Promise<void> {
    await this.#connection.run(`create or replace table ${this.#catalog}.${sqlName(table)} as ${query}`);
  }

  /** Names a column that tables are said to be partitioned by; DuckDB itself has no such tables. */
  partitionBy(column: string): void {
    this.#partitionColumns.add(column);
  }

  async run(sql: string): Promise<void> {
    await this.#connection.run(sql);
  }

  async answer(sql: string): Promise<Answer> {
    const reader = await this.#connection.runAndReadAll(
      sql.replace(/"\w+"\.information_schema\.columns/, this.#columns()),
    );
    return { names: reader.columnNames(), rows: reader.getRowObjectsJson() };
  }

  /** DuckDB has one information_schema for all catalogs, without what Trino and Athena say of partitions in theirs. */
  #columns(): string {
    const isPartition = `column_name in (${["", ...this.#partitionColumns].map(sqlText).join(", ")})`;
    return `(select *, case when ${isPartition} then 'partition key' end as extra_info from information_schema.columns)`;
  }

  close(): void {
    this.#instance.closeSync();
  }
}

/** The word that Trino and Athena have for what DuckDB refuses. */
export function engineWordFor(error: unknown): string {
  return /Referenced column/.test(String(error)) ? "COLUMN_NOT_FOUND" : "GENERIC_INTERNAL_ERROR";
}
