//! What a configuration can name is what is listed.

use std::fmt::Debug;

use losscape_model::data::Source;
use losscape_model::{Activation, FeatureMap, Loss, LossKind, ModelConfig};
use serde::de::DeserializeOwned;

/// The names that serde accepts, from its own words.
fn accepted<T: DeserializeOwned + Debug>(written: &str) -> Vec<String> {
    let message = serde_json::from_str::<T>(written).expect_err("`?` is no name").to_string();
    message.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

fn listed(all: &[(&str, &str)]) -> Vec<String> {
    all.iter().map(|(name, _)| (*name).to_owned()).collect()
}

#[test]
fn names_are_those_that_are_listed() {
    let (word, table) = (r#""?""#, r#"{"?": {}}"#);
    assert_eq!(accepted::<Activation>(word), listed(Activation::ALL));
    assert_eq!(accepted::<LossKind>(word), listed(Loss::ALL));
    assert_eq!(accepted::<ModelConfig>(table), listed(ModelConfig::ALL));
    assert_eq!(accepted::<Source>(table), listed(Source::ALL));
    assert_eq!(accepted::<FeatureMap>(table).len(), 3, "the words on `linear` name each");
}
