//! `losscape help` and `losscape schema`: commands, and the keys of a configuration.

use clap::CommandFactory;
use losscape_lab::RunConfig;
use losscape_lab::nearest::meant;
use losscape_lab::schema::{self, Key};
use losscape_report::table::broken;
use losscape_study::StudyConfig;
use serde_json::{Value, json};

use crate::args::Cli;
use crate::error::CliError;
use crate::terminal::{self, say, show};

/// The schema of a configuration, `[study]` with it.
fn configuration() -> Value {
    let mut schema = schema::schema::<RunConfig>();
    schema["title"] = json!("A training configuration of Losscape");
    schema["properties"]["study"] = schema::schema::<StudyConfig>();
    if let Some(study) = schema["properties"]["study"].as_object_mut() {
        study.retain(|key, _| !matches!(key.as_str(), "$schema" | "title"));
    }
    schema
}

/// Prints the schema, or the reference made of it.
pub fn schema(markdown: bool) {
    if markdown {
        show!("{}", page(&schema::keys(&configuration())));
    } else {
        terminal::out(&format!("{:#}\n", schema::for_editors(&configuration())));
    }
}

/// A line a key.
pub fn list() {
    let keys = schema::keys(&configuration());
    let width = keys.iter().map(|key| key.path.len()).max().unwrap_or(0);
    for key in keys {
        say!("{:width$}  {}", key.path, brief(&key));
    }
}

/// The help of a command, or of keys; of a word that is both, of both.
pub fn run(words: &[String]) -> Result<(), CliError> {
    let keys = schema::keys(&configuration());
    let mut command = Cli::command();
    command.build();
    let [word] = words else {
        let mut found = &mut command;
        for word in words {
            let known: Vec<String> = found.get_subcommands().map(|known| known.get_name().to_owned()).collect();
            if !known.contains(word) {
                let meant = meant(word, known.iter().map(String::as_str));
                return Err(CliError::Message(format!("{} has no command `{word}`{meant}", found.get_name())));
            }
            found = found.find_subcommand_mut(word).expect("it was found");
        }
        terminal::out(&found.render_long_help().ansi().to_string());
        return Ok(());
    };
    let (about, found) = (matching(&keys, word), command.find_subcommand_mut(word));
    if about.is_empty() && found.is_none() {
        let commands = Cli::command();
        let known = commands.get_subcommands().map(clap::Command::get_name);
        let choices = keys.iter().flat_map(|key| &key.of).chain(keys.iter().map(|key| &key.path));
        let meant = meant(word, known.chain(choices.map(String::as_str)));
        return Err(CliError::Message(format!("there is neither a command nor a key `{word}`{meant}")));
    }
    if let Some(found) = found {
        terminal::out(&found.render_long_help().ansi().to_string());
        if !about.is_empty() {
            say!("\nIn a configuration:\n");
        }
    }
    let width = terminal::columns().unwrap_or(80).clamp(40, 120) - 2;
    for key in about {
        say!("{}{}", key.path, choices(key));
        say!("  {}", brief(key));
        broken(&key.words, width).iter().filter(|line| !line.is_empty()).for_each(|line| say!("  {line}"));
    }
    Ok(())
}

/// The keys that a word is about: those of this path or this last part, those of a choice (`ema.decay`, `ema`), those
/// of a table.
fn matching<'a>(keys: &'a [Key], word: &str) -> Vec<&'a Key> {
    let last = |key: &Key| key.path.rsplit('.').next().unwrap_or_default().to_owned();
    let of = |key: &Key, choice: &str| key.of.iter().any(|known| known == choice);
    let ways: [&dyn Fn(&Key) -> bool; 5] = [
        &|key| key.path == word,
        &|key| word.rsplit_once('.').is_some_and(|(choice, name)| of(key, choice) && last(key) == name),
        &|key| of(key, word),
        &|key| last(key) == word,
        &|key| key.path.strip_prefix(word).is_some_and(|rest| rest.starts_with('.')),
    ];
    let found = ways.iter().map(|way| keys.iter().filter(|key| way(key)).collect::<Vec<_>>());
    // A table is shown with its keys.
    let table = keys.iter().filter(|key| ways[4](key));
    let mut first = found.into_iter().find(|found| !found.is_empty()).unwrap_or_default();
    if first.iter().all(|key| key.path == word) {
        first.extend(table);
    }
    first
}

/// Of which choices a key is.
fn choices(key: &Key) -> String {
    if key.of.is_empty() { String::new() } else { format!(" ({})", key.of.join(", ")) }
}

/// What a key takes, and what it is where nothing is said.
fn brief(key: &Key) -> String {
    let default = match &key.default {
        Some(value) => format!("; default {value}"),
        None if key.is_needed => "; needed".to_owned(),
        None => String::new(),
    };
    format!("{}{default}", key.kind)
}

/// The reference: a table for each table of the file.
fn page(keys: &[Key]) -> String {
    let mut text = String::from(
        "# Reference\n\nEvery key that a configuration can have, as the types behind it say. `losscape schema \
         --markdown` prints this\npage, `losscape help KEY` one key, `losscape schema` the JSON schema that editors \
         use. What the keys are for:\n[Configuration](configuration.md).\n",
    );
    let table_of = |key: &Key| key.path.rsplit_once('.').map_or("", |(table, _)| table).to_owned();
    let mut tables: Vec<String> = Vec::new();
    keys.iter().map(table_of).for_each(|table| {
        if !tables.contains(&table) {
            tables.push(table);
        }
    });
    // A sentence may hold the character that ends a cell.
    let cell = |text: &str| text.replace('|', "\\|").replace('<', "&lt;");
    for table in tables {
        let title = if table.is_empty() { "Top level".to_owned() } else { format!("`[{table}]`") };
        text += &format!("\n## {title}\n\n| key | of | takes | default | what it is |\n|---|---|---|---|---|\n");
        for key in keys.iter().filter(|key| table_of(key) == table) {
            let name = key.path.rsplit('.').next().unwrap_or_default();
            let default = match &key.default {
                Some(value) => format!("`{value}`"),
                None if key.is_needed => "needed".to_owned(),
                None => String::new(),
            };
            let of = key.of.join(", ");
            text += &format!("| `{name}` | {of} | {} | {default} | {} |\n", cell(&key.kind), cell(&key.words));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{configuration, matching, schema};

    #[test]
    fn a_key_is_found_by_what_it_is_called() {
        let keys = schema::keys(&configuration());
        let paths = |word: &str| -> Vec<String> {
            matching(&keys, word).into_iter().map(|key| format!("{} {}", key.path, key.of.join(" "))).collect()
        };
        assert_eq!(paths("ema.decay"), ["average.decay ema"]);
        assert_eq!(paths("training.batch_size"), ["training.batch_size "]);
        assert!(paths("track").len() > 3 && paths("track")[0].starts_with("track"));
        assert!(paths("momentum").contains(&"optimizer.momentum momentum".to_owned()), "{:?}", paths("momentum"));
        assert!(paths("optimizer.sam.rho").len() == 1);
        assert!(paths("nonsense").is_empty());
    }
}
