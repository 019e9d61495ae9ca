"""Decisions about models: policy, checks, judgement, stages, the audit log; not how metrics are computed."""
