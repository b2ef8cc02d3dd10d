"""What each unary call asks of the node and answers, whether it comes alone or in a pipeline."""
