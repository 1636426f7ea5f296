//! What a misspelt word was meant to be.

/// The known word that is nearest to this one, if one is near.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let closeness = |known: &str| strsim::normalized_damerau_levenshtein(word, known);
    let best = known.into_iter().max_by(|a, b| closeness(a).total_cmp(&closeness(b)));
    best.filter(|best| closeness(best) >= 0.5)
}

/// The end of a message about an unknown word: what it was meant to be, if something is near.
#[must_use]
pub fn meant<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map(|nearest| format!("; did you mean `{nearest}`?")).unwrap_or_default()
}
