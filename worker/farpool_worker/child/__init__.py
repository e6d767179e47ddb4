"""What runs in a child: tasks come through the pipe, outcomes go back."""
