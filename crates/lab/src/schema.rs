//! What a configuration can say, made from its types: a JSON schema, as editors use it, and its keys one by one.
//!
//! Names, types, defaults and words are those of the types: serde says the names and the defaults, the documentation of
//! a field its words, with the source of the default. Tables that choose by `name` are turned from the enums' form into
//! that of a file, as [`Document`](crate::Document) turns a file into theirs.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::document::NAMED;

/// A key that a configuration can have.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Where it stands, dotted: `optimizer.momentum`.
    pub path: String,
    /// The choices of its table that have it, where not all do.
    pub of: Vec<String>,
    /// What it takes, in words.
    pub kind: String,
    /// What it is where nothing is said, as far as that is one value.
    pub default: Option<Value>,
    /// Whether it has to be said.
    pub is_needed: bool,
    /// What it is, and where its default is from.
    pub words: String,
}

/// The JSON schema (draft 2020-12) of a type as it stands in a file.
#[must_use]
pub fn schema<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    plain(&mut schema);
    // From inside out: a table that was turned is looked into no more.
    for named in NAMED.iter().rev() {
        at(&mut schema, named.path, &mut |table| {
            *table = by_name(table, named.field);
        });
    }
    schema
}

/// The schema for editors: it knows every key and what it takes, and leaves it to the program to say what is missing,
/// which the axes of a study may give.
#[must_use]
pub fn for_editors(schema: &Value) -> Value {
    match schema {
        Value::Object(object) => {
            let kept = object.iter().filter(|(key, _)| *key != "required").map(|(key, value)| {
                // Without its name a table may be more than one of the choices.
                let key = if key == "oneOf" { "anyOf" } else { key };
                (key.to_owned(), for_editors(value))
            });
            kept.collect::<Map<_, _>>().into()
        }
        Value::Array(values) => values.iter().map(for_editors).collect(),
        value => value.clone(),
    }
}

/// Every key of a schema, tables before those in them.
#[must_use]
pub fn keys(schema: &Value) -> Vec<Key> {
    let mut keys = Vec::new();
    collect("", schema, &[], &mut keys);
    keys
}

/// Takes away what TOML has not: `null`, which stands for an absent key, and the formats of numbers.
fn plain(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.remove("format");
            if object.get("default") == Some(&Value::Null) {
                object.remove("default");
            }
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|of| of != "null");
                if let [one] = &types[..] {
                    let one = one.clone();
                    object.insert("type".to_owned(), one);
                }
            }
            let some = object
                .get("anyOf")
                .and_then(Value::as_array)
                .map(|any| any.iter().filter(|of| of.get("type") != Some(&json!("null"))).cloned().collect::<Vec<_>>());
            if let Some([Value::Object(one)]) = some.as_deref() {
                object.remove("anyOf");
                // The words of the field, not those of its type.
                for (key, value) in one {
                    object.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
            object.values_mut().for_each(plain);
        }
        Value::Array(values) => values.iter_mut().for_each(plain),
        _ => {}
    }
}

/// Does something with the schemas of a table, through every choice on the way.
fn at(schema: &mut Value, path: &[&str], todo: &mut dyn FnMut(&mut Value)) {
    let Some((first, rest)) = path.split_first() else { return todo(schema) };
    if let Some(inner) = schema.pointer_mut(&format!("/properties/{first}")) {
        at(inner, rest, todo);
    }
    for choice in schema.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten() {
        let inner = choice.get_mut("properties").and_then(Value::as_object_mut);
        for variant in inner.into_iter().flat_map(Map::values_mut) {
            at(variant, path, todo);
        }
    }
}

/// A table whose `name` chooses, from an enum, or from a table with an enum in a field.
fn by_name(table: &Value, field: Option<&str>) -> Value {
    let mut common = table.clone();
    let choice = match field {
        Some(field) => common["properties"].as_object_mut().and_then(|properties| properties.remove(field)),
        None => Some(table.clone()),
    };
    // A key of the same name elsewhere is no table that chooses: `average` in `[study]`.
    let Some(variants) = choice.as_ref().and_then(|choice| choice.get("oneOf")?.as_array()) else {
        return table.clone();
    };
    let of_common = |key: &str| field.and_then(|_| common.get(key).cloned());
    let choices = variants.iter().flat_map(|variant| {
        let words = variant.get("description").cloned();
        // Without settings a variant is its name; several such are one enum.
        let alone = variant.get("const").or_else(|| variant.get("enum").and_then(|names| names.get(0)));
        let named: Vec<(String, Value)> = match (variant.get("properties").and_then(Value::as_object), alone) {
            (Some(properties), _) => properties.iter().map(|(name, own)| (name.clone(), own.clone())).collect(),
            (None, Some(name)) => vec![(name.as_str().unwrap_or_default().to_owned(), json!({}))],
            (None, None) => Vec::new(),
        };
        named
            .into_iter()
            .map(|(name, own)| {
                let list = |of: Option<Value>, key: &str| match of.or_else(|| own.get(key).cloned()) {
                    Some(Value::Array(values)) => values,
                    _ => Vec::new(),
                };
                let object = |of: Option<Value>| match of {
                    Some(Value::Object(map)) => map,
                    _ => Map::new(),
                };
                let names: Vec<Value> = [json!(name)].into_iter().chain(variant.get("alias").cloned()).collect();
                let mut properties = Map::from_iter([("name".to_owned(), json!({ "enum": names }))]);
                properties.extend(object(own.get("properties").cloned()));
                properties.extend(object(of_common("properties")));
                let mut required = vec![json!("name")];
                required.extend(list(None, "required"));
                required.extend(
                    list(of_common("required"), "").into_iter().filter(|key| Some(key.as_str()) != Some(field)),
                );
                let mut choice = json!({
                    "type": "object",
                    "properties": properties,
                    "required": required,
                    "additionalProperties": false,
                });
                if let Some(words) = &words {
                    choice["description"] = words.clone();
                }
                choice
            })
            .collect::<Vec<_>>()
    });
    let mut named = json!({ "oneOf": choices.collect::<Vec<_>>() });
    if let Some(words) = table.get("description") {
        named["description"] = words.clone();
    }
    named
}

fn collect(prefix: &str, schema: &Value, of: &[String], keys: &mut Vec<Key>) {
    let empty = Vec::new();
    let is_choice = matches!(of, [choice] if name_of(schema).as_ref() == Some(choice));
    let required = schema.get("required").and_then(Value::as_array).unwrap_or(&empty);
    for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let key = Key {
            path: path.clone(),
            of: of.to_vec(),
            kind: kind(inner),
            default: inner.get("default").cloned(),
            is_needed: required.iter().any(|key| key == name),
            words: words(inner.get("description").and_then(Value::as_str).unwrap_or_default()),
        };
        // A choice's own name: the table has one key for all of them.
        if !(name == "name" && is_choice) {
            put(keys, key);
        }
        collect(&path, inner, of, keys);
    }
    let choices = schema.get("oneOf").and_then(Value::as_array).unwrap_or(&empty);
    let names: Vec<String> = choices.iter().filter_map(name_of).collect();
    if !names.is_empty() {
        let kind = names.join(", ");
        let path = format!("{prefix}.name");
        put(keys, Key { path, of: of.to_vec(), kind, default: None, is_needed: true, words: String::new() });
    }
    let from = keys.len();
    for choice in choices {
        collect(prefix, choice, &name_of(choice).into_iter().collect::<Vec<_>>(), keys);
    }
    // What all choices have is the table's own.
    for key in keys[from..].iter_mut().filter(|key| !names.is_empty() && key.of == names) {
        key.of = of.to_vec();
    }
}

/// The name that a choice is called by.
fn name_of(choice: &Value) -> Option<String> {
    choice.pointer("/properties/name/enum/0").and_then(Value::as_str).map(str::to_owned)
}

/// Takes a key up; one that another choice has, too, is the same key.
fn put(keys: &mut Vec<Key>, key: Key) {
    match keys.iter_mut().find(|known| Key { of: key.of.clone(), ..(*known).clone() } == key) {
        Some(known) => key.of.into_iter().for_each(|choice| {
            if !known.of.contains(&choice) {
                known.of.push(choice);
            }
        }),
        None => keys.push(key),
    }
}

/// Documentation as a paragraph, with the words of its links.
fn words(documentation: &str) -> String {
    let mut rest = documentation;
    let mut text = String::new();
    while let Some((before, link)) = rest.split_once('[') {
        let parts = link.split_once("](").and_then(|(words, target)| Some((words, target.split_once(')')?.1)));
        let is_link = parts.filter(|(words, _)| !words.contains(['[', ']']));
        text += before;
        rest = match is_link {
            Some((words, after)) => {
                text += words;
                after
            }
            None => {
                text.push('[');
                link
            }
        };
    }
    text += rest;
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a value may be, in words.
fn kind(schema: &Value) -> String {
    let any = |key: &str| schema.get(key).and_then(Value::as_array);
    if let Some(value) = schema.get("const") {
        return value.to_string();
    }
    if let Some(values) = any("enum") {
        return values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
    }
    if let Some(choices) = any("oneOf").or_else(|| any("anyOf")) {
        if choices.iter().all(|choice| choice.pointer("/properties/name").is_some()) {
            return "table".to_owned();
        }
        let mut kinds: Vec<String> = choices.iter().map(kind).collect();
        kinds.dedup();
        return kinds.join(", ");
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("integer") => "whole number".to_owned(),
        Some("array") => match schema.get("items") {
            Some(items) => format!("list of: {}", kind(items)),
            None => "list".to_owned(),
        },
        Some("object") => match schema.get("properties").and_then(Value::as_object) {
            Some(properties) => format!("{{ {} }}", properties.keys().cloned().collect::<Vec<_>>().join(", ")),
            None => "table".to_owned(),
        },
        Some("string") => "text".to_owned(),
        Some("boolean") => "true, false".to_owned(),
        Some(other) => other.to_owned(),
        None => "value".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Key, keys, schema, words};
    use crate::RunConfig;

    #[test]
    fn links_are_their_words() {
        assert_eq!(
            words("Names of\nthe [measures](crate::measure), [track] and `[n, d]`"),
            "Names of the measures, [track] and `[n, d]`"
        );
    }

    #[test]
    fn every_choice_has_something_to_choose() {
        fn look(schema: &Value) {
            match schema {
                Value::Object(object) => {
                    for key in ["oneOf", "anyOf", "enum"] {
                        let some = object.get(key).and_then(Value::as_array);
                        assert!(some.is_none_or(|some| !some.is_empty()), "{schema}");
                    }
                    object.values().for_each(look);
                }
                Value::Array(values) => values.iter().for_each(look),
                _ => {}
            }
        }
        #[derive(schemars::JsonSchema)]
        struct Study {
            #[expect(dead_code, reason = "it has the name of a table that chooses")]
            average: bool,
        }
        look(&schema::<RunConfig>());
        look(&schema::<Study>());
    }

    /// Every registry's names, under the key that chooses among them.
    #[test]
    fn tables_that_choose_have_all_names() {
        let keys = keys(&schema::<RunConfig>());
        let names = |path: &str| {
            let key = keys.iter().find(|key| key.path == path).expect("there is such a key");
            key.kind.split(", ").map(str::to_owned).collect::<Vec<_>>()
        };
        let known = |all: &[(&str, &str)]| all.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(names("optimizer.name"), known(losscape_optim::RuleConfig::ALL));
        assert_eq!(names("optimizer.schedule.name"), known(losscape_optim::ScheduleConfig::ALL));
        assert_eq!(names("average.name"), known(losscape_optim::AverageConfig::ALL));
        assert_eq!(names("model.name"), known(losscape_model::ModelConfig::ALL));
        assert_eq!(names("data.name"), known(losscape_model::data::Source::ALL));
        assert_eq!(names("loss.name").len(), losscape_model::Loss::ALL.len());
        let momentum = Key {
            path: "optimizer.momentum".to_owned(),
            of: vec!["momentum".to_owned()],
            kind: "number".to_owned(),
            default: Some(json!(0.9)),
            is_needed: false,
            words: "The factor b, from 0 to below 1. Default: 0.9 (Sutskever et al. 2013, §3, and general practice)."
                .to_owned(),
        };
        assert!(keys.contains(&momentum), "{:?}", keys.iter().filter(|key| key.path == momentum.path));
        let schedules = keys.iter().filter(|key| key.path == "optimizer.schedule.name").collect::<Vec<_>>();
        assert!(matches!(&schedules[..], [key] if key.of.is_empty()), "{schedules:?}");
        for key in &keys {
            let mut of = key.of.clone();
            of.sort();
            of.dedup();
            assert_eq!(of.len(), key.of.len(), "{key:?}");
        }
        let rate: Vec<_> = keys.iter().filter(|key| key.path == "optimizer.learning_rate").collect();
        assert!(matches!(&rate[..], [key] if key.of.is_empty() && key.is_needed), "{rate:?}");
    }
}
