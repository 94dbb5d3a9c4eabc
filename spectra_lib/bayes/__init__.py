"""The Bayes classifier of the training distribution, class centres, and peak finding."""
