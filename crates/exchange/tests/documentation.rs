//! The table of operations in the documentation is that of the program.

use losscape_exchange::FAMILIES;

/// `docs/operations.md`; with LOSSCAPE_WRITE=1 it is written.
#[test]
fn operations() {
    let lines = [
        "# Operations of PyTorch",
        "",
        "What an archive of `torch.export` may contain, by PyTorch's names in `torch.ops.aten` without their",
        "overloads, and operations on sizes. Those that write over their first argument (`relu_`) are the same. An",
        "argument that is not listed is refused, unless no result depends on it. Written from the table:",
        "`LOSSCAPE_WRITE=1 cargo test --release --workspace --test exchange documentation`.",
        "",
        "| operation | arguments | what it calculates |",
        "|---|---|---|",
        "",
    ];
    let mut text = lines.join("\n");
    let mut entries: Vec<_> = FAMILIES.iter().flat_map(|family| family.iter()).collect();
    entries.sort_by_key(|entry| entry.name);
    let twice = entries.windows(2).find(|pair| pair[0].name == pair[1].name);
    assert!(twice.is_none(), "{twice:?} are of one name");
    for entry in entries {
        let formula = entry.formula.replace('|', "\\|");
        text += &format!("| `{}` | {} | {formula} |\n", entry.name, entry.reads.join(", "));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md");
    if std::env::var_os("LOSSCAPE_WRITE").is_some() {
        std::fs::write(path, &text).expect("the folder can be written");
    }
    let written = std::fs::read_to_string(path).expect("it is there");
    assert!(
        written == text,
        "write it anew: LOSSCAPE_WRITE=1 cargo test --release --workspace --test exchange documentation"
    );
}
