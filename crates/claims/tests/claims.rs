//! Every claim: there, with the verdict that theory expects, and able to fail.

use std::collections::BTreeSet;

use burn::tensor::Device;
use losscape_claims::{
    ALL, Check, Claim, ClaimFolder, ClaimRecord, ClaimSettings, Effect, Effort, Evidence, Expectation, Family, Form,
    Relation, Verdict, find,
};

/// Every statement of the notes and of the literature that is to be measured.
const IDS: [&str; 49] = [
    "gradient-formula",
    "quadratic-hessian",
    "step-bound",
    "newton-step",
    "smoothness-bound",
    "gradient-norm-rate",
    "basin-width-ratio",
    "full-batch-sharper",
    "flat-generalizes",
    "sam-flattens",
    "swa-flattens",
    "entropy-sgd-flattens",
    "linear-mode-connectivity",
    "noise-covariance-hessian",
    "llc-rank",
    "oscillation",
    "momentum-average",
    "momentum-variance",
    "momentum-rate",
    "nesterov-rate",
    "rmsprop-scaling",
    "adam-moments",
    "minimum-norm",
    "overparameterization",
    "local-nonconvexity",
    "descent-lemma",
    "optimality-gap",
    "initialization-distance",
    "lipschitz-pessimism",
    "pl-inequality",
    "tangent-kernel",
    "pl-star",
    "convergence-theorem",
    "interpolating-sgd",
    "edge-gd",
    "edge-momentum",
    "edge-nesterov",
    "edge-adam",
    "edge-sam",
    "edge-gradient-norm",
    "progressive-sharpening",
    "central-flow",
    "rod-flow",
    "edge-flow",
    "batch-sharpness",
    "lazy-kernel",
    "hessian-width",
    "reparameterization",
    "spectrum-outliers",
];

fn settings(seed: u64) -> ClaimSettings {
    ClaimSettings { seed, effort: Effort::Quick, device: Device::flex() }
}

#[test]
fn every_statement_has_its_claim() {
    let known: Vec<&str> = ALL.iter().map(|claim| claim.id).collect();
    assert_eq!(known, IDS);
}

/// The evidence with the tightest pair of its `at`-th check moved by a few hundredths to where the relation fails.
fn broken(evidence: &Evidence, at: usize) -> Evidence {
    let mut evidence = evidence.clone();
    let check: &mut Check = &mut evidence.checks[at];
    let (tightest, _) = check.tightest().expect("a check without pairs shows nothing");
    let pair = check.pairs.iter_mut().find(|pair| **pair == tightest).expect("it is one of them");
    let scale = pair.left.abs().max(pair.right.abs()).max(f64::MIN_POSITIVE);
    pair.left = match check.relation {
        Relation::Equal => pair.right + (0.03 + 2.0 * check.tolerance) * scale,
        Relation::AtMost => pair.right + 0.01 * scale,
    };
    evidence
}

/// Every check of the exact form, every condition and every effect of a claim catches a false statement, and every
/// false statement is caught.
fn catches_what_is_false(claim: &Claim, evidence: &Evidence) {
    let mut caught = BTreeSet::new();
    for statement in claim.false_statements {
        let worlds = statement.worlds(evidence);
        assert!(!worlds.is_empty(), "{}: nothing measures \"{}\"", claim.id, statement.says);
        for (name, passes, world) in worlds {
            assert!(!passes, "{}: \"{}\" passes {name}", claim.id, statement.says);
            let verdict = Verdict::of(&world);
            let holds = matches!(verdict, Verdict::Holds | Verdict::HoldsAsCorrected | Verdict::Supported);
            assert!(!holds, "{}: {verdict}, though \"{}\"", claim.id, statement.says);
            caught.insert(name);
        }
    }
    let effects = evidence.effects.iter().map(|effect| &effect.name);
    for name in evidence.exact().chain(evidence.conditions()).map(|check| &check.name).chain(effects) {
        assert!(caught.contains(name), "{}: what false statement would fail {name}?", claim.id);
    }
}

#[test]
fn step_size() {
    verdicts_are_as_expected_and_can_fail(Family::StepSize);
}

#[test]
fn convergence() {
    verdicts_are_as_expected_and_can_fail(Family::Convergence);
}

#[test]
fn optimizers() {
    verdicts_are_as_expected_and_can_fail(Family::Optimizers);
}

#[test]
fn polyak_lojasiewicz() {
    verdicts_are_as_expected_and_can_fail(Family::PolyakLojasiewicz);
}

#[test]
fn edge() {
    verdicts_are_as_expected_and_can_fail(Family::Edge);
}

#[test]
fn width() {
    verdicts_are_as_expected_and_can_fail(Family::Width);
}

#[test]
fn flatness() {
    verdicts_are_as_expected_and_can_fail(Family::Flatness);
}

fn verdicts_are_as_expected_and_can_fail(family: Family) {
    for claim in ALL.iter().filter(|claim| claim.family == family) {
        let record = ClaimRecord::measure(claim, &settings(0));
        println!("{}: {} in {:.1} s", record.id, record.verdict, record.seconds);
        assert!(
            record.is_as_expected(),
            "{}: {}, {:?} {:?}",
            record.id,
            record.verdict,
            record.error,
            record.evidence.effects
        );
        let evidence = &record.evidence;
        for (at, check) in evidence.checks.iter().enumerate() {
            let verdict = Verdict::of(&broken(evidence, at));
            match check.form {
                Form::Exact => assert_eq!(verdict, Verdict::Violated, "{}: {}", claim.id, check.name),
                Form::Printed => assert_ne!(verdict, Verdict::Holds, "{}: {}", claim.id, check.name),
                Form::Condition => assert_eq!(verdict, Verdict::Inconclusive, "{}: {}", claim.id, check.name),
            }
        }
        assert!(!evidence.preparation.is_empty(), "{}: how was it prepared?", claim.id);
        catches_what_is_false(claim, evidence);
        if claim.expected == Expectation::HoldsAsCorrected {
            // Without what the printed form fails at, nothing would need correcting.
            let mut evidence = evidence.clone();
            evidence.checks.retain(|check| check.form == Form::Exact);
            assert!(matches!(Verdict::of(&evidence), Verdict::Holds | Verdict::Supported), "{}", claim.id);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_evidence() {
    for id in
        ["gradient-norm-rate", "momentum-variance", "pl-star", "lazy-kernel", "local-nonconvexity", "sam-flattens"]
    {
        let claim = find(id).expect("it is there");
        let measured = [0, 0, 1].map(|seed| ClaimRecord::measure(claim, &settings(seed)));
        assert_eq!(measured[0].evidence, measured[1].evidence, "{id}");
        assert_ne!(measured[0].evidence, measured[2].evidence, "{id}: another seed gives other numbers");
    }
}

#[test]
fn records_come_back_and_belong_to_their_settings() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = ClaimFolder::new(folder.path());
    let record = ClaimRecord::measure(find("oscillation").expect("it is there"), &settings(3));
    folder.write(&record).expect("the folder can be written");
    assert_eq!(folder.of("oscillation", &settings(3)), Some(record));
    assert_eq!(folder.of("oscillation", &settings(4)), None);
    let full = ClaimSettings { effort: Effort::Full, ..settings(3) };
    assert_eq!(folder.of("oscillation", &full), None);
    assert_eq!(folder.of("pl-star", &settings(3)), None);
    // Half a file, as a crash of the machine can leave it, is none.
    let path = folder.path().join("oscillation.json");
    let whole = std::fs::read(&path).expect("it is there");
    std::fs::write(&path, &whole[..whole.len() / 2]).expect("it can be written");
    assert_eq!(folder.of("oscillation", &settings(3)), None);
    folder.forget("oscillation").expect("it can be removed");
    folder.forget("oscillation").expect("what is not there is forgotten");
    assert!(!path.exists());
}

#[test]
fn verdicts_of_evidence() {
    let exact = |left: f64| Check::at_most("exact", 0.0, [(left, 1.0)]);
    let printed = |left: f64| Check::equal("printed", 1e-9, [(left, 1.0)]).printed();
    let condition = |left: f64| Check::at_most("condition", 0.0, [(left, 1.0)]).condition();
    let cases = [
        (vec![], Verdict::Unmeasured),
        (vec![Check::at_most("nothing", 0.0, [])], Verdict::Unmeasured),
        (vec![exact(0.5)], Verdict::Holds),
        (vec![exact(f64::NAN)], Verdict::Unmeasured),
        (vec![exact(f64::INFINITY)], Verdict::Violated),
        (vec![exact(0.5), exact(f64::NAN)], Verdict::Unmeasured),
        (vec![exact(1.5), exact(f64::NAN)], Verdict::Violated),
        (vec![Check::equal("no number and none", 0.0, [(f64::NAN, 0.0)])], Verdict::Unmeasured),
        (vec![exact(0.5), printed(f64::NAN)], Verdict::Unmeasured),
        (vec![exact(0.5), printed(1.0)], Verdict::Holds),
        (vec![exact(0.5), printed(2.0)], Verdict::HoldsAsCorrected),
        (vec![exact(1.5), printed(1.0)], Verdict::Violated),
        (vec![printed(1.0)], Verdict::Unmeasured),
        (vec![exact(0.5), condition(0.5)], Verdict::Holds),
        (vec![exact(0.5), condition(1.5)], Verdict::Inconclusive),
        (vec![exact(0.5), printed(2.0), condition(1.5)], Verdict::Inconclusive),
        (vec![exact(1.5), condition(1.5)], Verdict::Violated),
        (vec![exact(0.5), condition(f64::NAN)], Verdict::Unmeasured),
        (vec![condition(0.5)], Verdict::Unmeasured),
    ];
    for (checks, verdict) in cases {
        let evidence = Evidence { checks, ..Evidence::default() };
        assert_eq!(Verdict::of(&evidence), verdict, "{evidence:?}");
    }
    for (samples, supported) in [
        (vec![0.5, 0.6, 0.4], Some(true)),
        (vec![0.95, 1.05, 1.0], None),
        (vec![1.5, 1.6, 1.4], Some(false)),
        (vec![-0.5, -0.6, -0.4], Some(false)),
    ] {
        let effect = Effect::within("in a band", [0.0, 1.0], samples);
        assert_eq!(effect.supported(), supported, "{effect:?}");
    }
    for (samples, verdict) in [
        (vec![1.0, 1.1, 0.9], Verdict::Supported),
        (vec![-1.0, -1.1, -0.9], Verdict::NotSupported),
        (vec![1.0, -1.0, 0.5], Verdict::Inconclusive),
        (vec![1.0, f64::NAN, 0.9], Verdict::Unmeasured),
        (vec![1.0], Verdict::Unmeasured),
    ] {
        let evidence = Evidence { effects: vec![Effect::above("effect", 0.0, samples)], ..Evidence::default() };
        assert_eq!(Verdict::of(&evidence), verdict, "{evidence:?}");
        assert_eq!(Expectation::Any.is_met_by(verdict), verdict != Verdict::Unmeasured);
    }
}
