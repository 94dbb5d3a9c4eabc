"""What run records say: statistics, confusions, decision regions, leaderboard, ablations."""
