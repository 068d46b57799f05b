-- What people know movies by.
--
-- Parameters: movie_ids  array
-- Grain:      one row a movie that there is, in no order

select
    movie_id,
    title,
    year,
    genres
from movies
where movie_id = any(%(movie_ids)s)
