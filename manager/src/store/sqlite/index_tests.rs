//! What is asked often is answered from an index, and not sorted.

use super::{SqliteStore, accounts, begin, facts};
use sqlx::Row;

#[tokio::test]
async fn decisions_and_lists_are_answered_from_indexes() {
    let store = SqliteStore::open_temporary().await.unwrap();
    for (query, index) in [
        (facts::BY_KEY, "INDEX sqlite_autoindex_operation_2 (actor=? AND idempotency_key=?)"),
        (facts::WORKING_ON, "INDEX operation_working (vm=?)"),
        (facts::VMS, "INDEX sqlite_autoindex_vm_1 (id=?)"),
        (facts::NAMES, "INDEX sqlite_autoindex_vm_4 (tenant=? AND name=?)"),
        (facts::TAKEN, "SEARCH node USING PRIMARY KEY (id=?)"),
        (begin::GRANT, "SEARCH node USING PRIMARY KEY (id=?)"),
        (accounts::STANDINGS, "SEARCH tenant USING PRIMARY KEY (id=?)"),
        ("SELECT id FROM operation WHERE vm = 'x' AND ended_ms IS NULL", "INDEX operation_working"),
        ("SELECT * FROM operation WHERE ended_ms IS NULL ORDER BY +rowid", "INDEX operation_working"),
        ("SELECT * FROM operation WHERE TRUE ORDER BY rowid DESC LIMIT 9", "SCAN operation"),
        (
            "SELECT * FROM operation WHERE TRUE AND tenant = 'x' ORDER BY rowid DESC LIMIT 9",
            "operation_of_tenant (tenant=?)",
        ),
        ("SELECT * FROM operation WHERE TRUE AND vm = 'x' ORDER BY rowid DESC LIMIT 1", "operation_of_vm (vm=?)"),
        ("SELECT rowid FROM operation WHERE source = 'x' ORDER BY rowid DESC LIMIT 9", "operation_from (source=?)"),
        (
            "SELECT rowid FROM operation WHERE destination = 'x' ORDER BY rowid DESC LIMIT 9",
            "operation_to (destination=?)",
        ),
        ("SELECT * FROM operation WHERE relocation = 'x' ORDER BY rowid", "operation_of_relocation (relocation=?)"),
    ] {
        let plan = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
        let rows = sqlx::query(plan).fetch_all(&store.readers).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        assert!(plan.iter().any(|line| line.contains(index)), "{query}: {plan:?}");
        // What goes on at once is little.
        assert_eq!(plan.join(" ").contains("TEMP B-TREE"), query.contains("+rowid"), "{query}: {plan:?}");
    }
}
