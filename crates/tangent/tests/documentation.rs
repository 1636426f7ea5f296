//! The documented table of operations is the registry.

use losscape_tangent::{operations, refusals};

#[test]
fn the_table_of_operations_is_the_registry() {
    let mut table = String::from(
        "# Operations with derivatives\n\nThe operations of Burn's captured graphs that a program can contain, the \
         kind each becomes, and what it calculates. Written from the\nregistry: `LOSSCAPE_WRITE=1 cargo test \
         --release --workspace --test tangent documentation`. Entries named `BaseFloat` hold for\nintegers and \
         booleans too, without derivative. Burn composes its other functions of these.\n\n| operation | kind | formula \
         |\n|---|---|---|\n",
    );
    for entry in operations() {
        let kind = format!("{:?}", entry.kind).to_lowercase();
        table += &format!("| `{}` | {kind} | {} |\n", entry.name, entry.formula.replace('|', "\\|"));
    }
    table += "\n## Without\n\nA forward with one of these is refused by name, and with this reason.\n\n";
    table += "| operations | reason |\n|---|---|\n";
    let refusals: Vec<_> = refusals().collect();
    for alike in refusals.chunk_by(|a, b| a.reason == b.reason) {
        let names: Vec<_> = alike.iter().map(|refusal| format!("`{}`", refusal.name)).collect();
        table += &format!("| {} | {} |\n", names.join(", "), alike[0].reason);
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md");
    if std::env::var_os("LOSSCAPE_WRITE").is_some() {
        std::fs::write(path, &table).expect("the folder is there");
    }
    assert!(std::fs::read_to_string(path).expect("it is written") == table, "docs/operations.md is out of date");
}
