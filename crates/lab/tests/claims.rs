//! Every claim: there, with the verdict that theory expects, and able to fail.

use burn::tensor::Device;
use losscape_lab::claims::{
    ALL, Check, ClaimFolder, ClaimRecord, ClaimSettings, Effort, Evidence, Expectation, Form, Relation, Verdict, find,
};

/// Every statement of the notes and of the literature that is to be measured.
const IDS: [&str; 37] = [
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
    "oscillation",
    "momentum-average",
    "momentum-variance",
    "momentum-rate",
    "nesterov-rate",
    "rmsprop-scaling",
    "adam-moments",
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
    "edge-gd",
    "edge-momentum",
    "edge-nesterov",
    "edge-adam",
    "edge-sam",
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

#[test]
fn verdicts_are_as_expected_and_can_fail() {
    for claim in ALL {
        let record = ClaimRecord::measure(claim, &settings(0)).expect("it can be measured");
        println!("{}: {} in {:.1} s", record.id, record.verdict, record.seconds);
        assert!(record.is_as_expected(), "{}: {}, {:?}", record.id, record.verdict, record.evidence.effects);
        let evidence = &record.evidence;
        for (at, check) in evidence.checks.iter().enumerate() {
            let verdict = Verdict::of(&broken(evidence, at));
            match check.form {
                Form::Exact => assert_eq!(verdict, Verdict::Violated, "{}: {}", claim.id, check.name),
                Form::Printed => assert_ne!(verdict, Verdict::Holds, "{}: {}", claim.id, check.name),
            }
        }
        for at in 0..evidence.effects.len() {
            // The other way round.
            let mut evidence = evidence.clone();
            let effect = &mut evidence.effects[at];
            let spread = effect.interval().map_or(1.0, |interval| interval.high - interval.low);
            let threshold = effect.above;
            effect.samples.iter_mut().for_each(|sample| *sample = threshold - (*sample - threshold).abs() - spread);
            assert_eq!(Verdict::of(&evidence), Verdict::NotSupported, "{}: {}", claim.id, evidence.effects[at].name);
        }
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
        let measured = [0, 0, 1].map(|seed| ClaimRecord::measure(claim, &settings(seed)).expect("it can be measured"));
        assert_eq!(measured[0].evidence, measured[1].evidence, "{id}");
        assert_ne!(measured[0].evidence, measured[2].evidence, "{id}: another seed gives other numbers");
    }
}

#[test]
fn records_come_back_and_belong_to_their_settings() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = ClaimFolder::new(folder.path());
    let record =
        ClaimRecord::measure(find("oscillation").expect("it is there"), &settings(3)).expect("it can be measured");
    folder.write(&record).expect("the folder can be written");
    assert_eq!(folder.of("oscillation", &settings(3)).expect("it is whole"), Some(record));
    assert_eq!(folder.of("oscillation", &settings(4)).expect("it is whole"), None);
    let full = ClaimSettings { effort: Effort::Full, ..settings(3) };
    assert_eq!(folder.of("oscillation", &full).expect("it is whole"), None);
    assert_eq!(folder.of("pl-star", &settings(3)).expect("nothing is damaged"), None);
}

#[test]
fn verdicts_of_evidence() {
    let exact = |left: f64| Check::at_most("exact", 0.0, [(left, 1.0)]);
    let printed = |left: f64| Check::equal("printed", 1e-9, [(left, 1.0)]).printed();
    let cases = [
        (vec![], Verdict::Violated),
        (vec![Check::at_most("nothing", 0.0, [])], Verdict::Violated),
        (vec![exact(0.5)], Verdict::Holds),
        (vec![exact(f64::NAN)], Verdict::Violated),
        (vec![exact(0.5), printed(1.0)], Verdict::Holds),
        (vec![exact(0.5), printed(2.0)], Verdict::HoldsAsCorrected),
        (vec![exact(1.5), printed(1.0)], Verdict::Violated),
        (vec![printed(1.0)], Verdict::Violated),
    ];
    for (checks, verdict) in cases {
        let evidence = Evidence { checks, ..Evidence::default() };
        assert_eq!(Verdict::of(&evidence), verdict, "{evidence:?}");
    }
}
