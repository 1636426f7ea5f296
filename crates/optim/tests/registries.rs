//! What a configuration can name is what is listed.

use std::fmt::Debug;

use losscape_optim::{RuleConfig, ScheduleConfig};
use serde::de::DeserializeOwned;

/// The names that serde accepts, from its own words.
fn accepted<T: DeserializeOwned + Debug>() -> Vec<String> {
    let message = serde_json::from_str::<T>(r#"{"?": {}}"#).expect_err("`?` is no name").to_string();
    message.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

fn listed(all: &[(&str, &str)]) -> Vec<String> {
    all.iter().map(|(name, _)| (*name).to_owned()).collect()
}

#[test]
fn names_are_those_that_are_listed() {
    // `sgd` is another name of `gd`.
    let rules: Vec<String> = accepted::<RuleConfig>().into_iter().filter(|name| name != "sgd").collect();
    assert_eq!(rules, listed(RuleConfig::ALL));
    assert_eq!(accepted::<ScheduleConfig>(), listed(ScheduleConfig::ALL));
}
