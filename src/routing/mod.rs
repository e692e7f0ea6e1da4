//! Knows what models there are and cost, which route goes first, and why, and who is in an experiment.

pub mod route;

pub mod catalogue;

pub mod pricing;

pub mod limits;

pub mod health;

pub mod learned;

pub mod kept;

pub mod score;

pub mod candidate;

pub mod policy;

pub mod plan;

pub mod rules;

pub mod budget;

pub mod experiment;

pub mod canary;
