"""The fork servers, as the parent sees them: started, asked, replaced."""
